"""The engines: they train and evaluate lists of subnetworks, and know nothing of studies."""
