"""The experiments of the papers, run again on other data and laid beside what was published."""
