"""Reading videos, folders of images and streams; encoding H.264 videos."""
