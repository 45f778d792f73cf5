"""The representation loss against loops over pairs of cells."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from limpet.distillation.losses import representation_loss

B, H, W = 2, 3, 4


def example() -> tuple[Tensor, Tensor, Tensor]:
    """Representations of student and teacher, and labels."""
    student, teacher = (torch.randn(B, width, H, W, dtype=torch.float64) for width in (3, 5))
    return student, teacher, torch.randint(0, 3, (B, H, W))


def slow_cosine(planes: Tensor, b: int, i: tuple[int, int], j: tuple[int, int]) -> float:
    first, second = planes[b, :, i[0], i[1]].tolist(), planes[b, :, j[0], j[1]].tolist()
    norms = math.sqrt(sum(a * a for a in first)) * math.sqrt(sum(a * a for a in second))
    return sum(a * c for a, c in zip(first, second, strict=True)) / norms


def slow_loss(
    student: Tensor, teacher: Tensor, labels: Tensor, b: int, omega: float, sampled: Tensor
) -> float:
    cells = [(y, x) for y in range(H) for x in range(W) if sampled[b, y, x]]
    alone = shared = 0.0
    for i in cells:
        for j in cells:
            ours = slow_cosine(student, b, i, j)
            target = omega * slow_cosine(teacher, b, i, j)
            target += (1 - omega) * float(labels[b][i] == labels[b][j])
            alone += ours**2
            shared += (ours * target) ** 2
    return (math.log2(alone) - math.log2(shared)) / len(cells)


@pytest.mark.parametrize("omega", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("share", [None, 0.5])
def test_against_pairs_of_cells(omega: float, share: float | None) -> None:
    student, teacher, labels = example()
    sampled = None if share is None else torch.rand(B, H, W) < share
    found = representation_loss(student, teacher, labels, omega, sampled)
    every = torch.ones(B, H, W, dtype=torch.bool) if sampled is None else sampled
    assert found.shape == (B,)
    for b in range(B):
        expected = slow_loss(student, teacher, labels, b, omega, every)
        assert expected > 0
        assert found[b].item() == pytest.approx(expected, rel=1e-10)


def test_the_gradient_is_that_of_the_loss() -> None:
    student, teacher, labels = example()
    student.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: representation_loss(s, teacher, labels, 0.5), student)


def test_the_teacher_gets_no_gradient() -> None:
    student, teacher, labels = example()
    representation_loss(student.requires_grad_(), teacher.requires_grad_(), labels, 0.5).sum().backward()
    assert teacher.grad is None and student.grad is not None and student.grad.abs().max() > 0


def test_no_cells_cost_nothing() -> None:
    student, teacher, labels = example()
    sampled = torch.ones(B, H, W, dtype=torch.bool)
    sampled[0] = False
    student.requires_grad_()
    loss = representation_loss(student, teacher, labels, 0.5, sampled)
    loss.sum().backward()
    assert loss[0] == 0 and loss[1] > 0
    assert student.grad is not None and student.grad[0].abs().max() == 0 < student.grad[1].abs().max()


def test_representations_of_zero_are_finite() -> None:
    student, teacher, labels = example()
    student = torch.zeros_like(student, dtype=torch.float32, requires_grad=True)
    loss = representation_loss(student, teacher.float(), labels)
    loss.sum().backward()
    assert loss.isfinite().all() and student.grad is not None and student.grad.isfinite().all()


def test_autocast_does_not_lower_the_precision() -> None:
    student, teacher, labels = example()
    plain = representation_loss(student.float(), teacher.float(), labels, 0.5)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(representation_loss(student.float(), teacher.float(), labels, 0.5), plain)


def test_what_does_not_fit_is_refused() -> None:
    student, teacher, labels = example()
    with pytest.raises(ValueError, match=r"omega is 1\.5, expected a share from 0"):
        representation_loss(student, teacher, labels, 1.5)
    with pytest.raises(ValueError, match=r"batch and size of the representations differ: \(2, 3, 4\)"):
        representation_loss(student, teacher[..., 1:], labels)
    with pytest.raises(ValueError, match="batch and size of the labels differ"):
        representation_loss(student, teacher, labels[..., 1:])
    with pytest.raises(ValueError, match="batch and size of the sampled cells differ"):
        representation_loss(student, teacher, labels, 1.0, labels[:1] > 0)


def renyi(matrix: Tensor) -> float:
    """The matrix-based entropy of order 2 (MobileVOS, eq. 12), from the eigenvalues."""
    values = torch.linalg.eigvalsh(matrix / matrix.trace())
    return -math.log2(float(values.square().sum()))


def cosines(planes: Tensor) -> Tensor:
    rows = planes.flatten(1).T
    rows = rows / rows.norm(dim=1, keepdim=True)
    return rows @ rows.T


def test_it_is_the_difference_of_two_renyi_entropies() -> None:
    """Eq. 17, and so minus the mutual information, but for the teacher's own entropy."""
    student, teacher, labels = example()
    found = representation_loss(student, teacher, labels)
    for b in range(B):
        ours, theirs = cosines(student[b]), cosines(teacher[b])
        assert found[b].item() == pytest.approx((-renyi(ours) + renyi(ours * theirs)) / (H * W), rel=1e-9)


def test_with_labels_alone_it_is_contrastive() -> None:
    """Eq. 24: the share of the positive pairs in all squared cosines."""
    student, teacher, labels = example()
    found = representation_loss(student, teacher, labels, omega=0.0)
    for b in range(B):
        energy = cosines(student[b]).square()
        positive = labels[b].flatten()[:, None] == labels[b].flatten()
        assert found[b].item() == pytest.approx(-math.log2(energy[positive].sum() / energy.sum()) / (H * W))
    assert not representation_loss(student, teacher, torch.zeros_like(labels), omega=0.0).any()


def test_only_the_angles_between_cells_matter_and_it_is_bounded() -> None:
    student, teacher, labels = example()
    rotation = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
    turned = torch.einsum("cd,bdhw->bchw", rotation, student) * torch.rand(
        B, 1, H, W, dtype=torch.float64
    ).add(0.1)
    found = representation_loss(student, teacher, labels, 0.4)
    torch.testing.assert_close(representation_loss(turned, teacher, labels, 0.4), found)
    assert (found > 0).all() and (found <= math.log2(H * W) / (H * W)).all()
