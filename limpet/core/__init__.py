"""What every part needs and nothing else brings: errors, files, masks, sizes, groups. Nothing here imports torch."""
