"""python -m settle [options] -- program: runs the program under the library, as settle does."""

from ._commands import settle

settle()
