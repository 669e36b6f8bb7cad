"""Where studies of lesions begin: a healthy network per replicate, trained here or given."""
