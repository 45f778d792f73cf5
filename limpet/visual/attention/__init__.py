"""Pictures of what a model looks at: attention maps, key points, one query and its keys, the deformed grid."""
