"""What describes the study's data to others: definitions made from mappings/, and the pages of the guide."""
