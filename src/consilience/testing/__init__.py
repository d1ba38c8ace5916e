"""What an author of a new label model calls to check it, and simulated votes with known truth."""

from consilience.testing.label_model_checks import check_label_model as check_label_model
from consilience.testing.simulate import Simulated as Simulated
from consilience.testing.simulate import simulate as simulate
