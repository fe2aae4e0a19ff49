"""Differentiable compositions of ops: activations, losses, pooling by name, regularisers."""
