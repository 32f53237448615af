"""A stock researched by five agents on real month-end prices."""
