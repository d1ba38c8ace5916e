"""Labeling functions on lists, frames and parts of frames: a label matrix of integers comes out."""
