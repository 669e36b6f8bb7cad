"""Published claims, put to the test: their protocols are run, their measures taken, their thresholds applied."""
