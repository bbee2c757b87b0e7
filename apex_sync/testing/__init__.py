"""What tests of this project and of its users drive the engine with."""
