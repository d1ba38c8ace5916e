"""Preprocessors: mappers to run before labeling and slicing functions."""

from consilience.compat.snorkel.preprocess.core import BasePreprocessor, LambdaPreprocessor, Preprocessor, preprocessor

__all__ = ["BasePreprocessor", "LambdaPreprocessor", "Preprocessor", "preprocessor"]
