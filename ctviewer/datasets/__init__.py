"""What training, tests and the demonstration read: generated phantoms and the sample study made from one."""
