"""Parts of simulated studies: where the lungs are, what real lesions look like, how diseases are spread, how they are composed."""
