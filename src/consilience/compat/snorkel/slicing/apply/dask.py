"""Apply slicing functions under the names that Snorkel gives to doing it in several processes."""

from consilience.compat.snorkel.labeling.apply.dask import PandasParallelLFApplier
from consilience.compat.snorkel.missing import missing_names

__getattr__ = missing_names("snorkel.slicing.apply.dask", {"DaskSFApplier": "use PandasSFApplier on each part."})


class PandasParallelSFApplier(PandasParallelLFApplier):
    """PandasSFApplier by another name: it runs in this process."""

    _use_recarray = True
