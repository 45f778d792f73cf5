"""What every part of limpet builds on: errors, files, masks, sizes, groups of objects, configuration fields.

Nothing here imports torch: exported trackers and the command line's help need this package alone.
"""
