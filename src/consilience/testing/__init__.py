"""What an author of a new label model or labeling function calls to check it; simulated votes with known truth."""

from consilience.testing.label_model_checks import check_label_model as check_label_model
from consilience.testing.labeling_function_checks import check_labeling_function as check_labeling_function
from consilience.testing.simulate import Simulated as Simulated
from consilience.testing.simulate import simulate as simulate
