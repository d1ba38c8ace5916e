"""Reading the result: facts and their evidence, calibration, explanations, exports."""
