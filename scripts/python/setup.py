"""What pyproject.toml cannot say: the package is for one architecture, though it has no extension module."""

from setuptools import Distribution, setup


class OneArchitecture(Distribution):
    def has_ext_modules(self):
        return True


setup(distclass=OneArchitecture)
