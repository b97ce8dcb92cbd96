"""The mandrill course: predict a mandrill's age from a photo of its face."""

__version__ = "0.1.0"
