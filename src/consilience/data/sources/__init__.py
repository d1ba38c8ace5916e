"""From each kind of source to one frame and the line of each row: one file a format. Called by `read`."""

from consilience.data.sources.raw import Raw as Raw
