"""The networks and their runtimes.

Import from the module that holds the concept, so that nothing is loaded that is not used:
`face_detector`, `recipe`, `clip`, `classifier`, `download`, and `vgg16`, the only one that imports torch.
"""
