"""Pictures of what a model attends to: attention maps, key points, one query and its keys, the deformed grid."""
