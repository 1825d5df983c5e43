"""Real spherical harmonics up to degree 4 (bands 0 to 3): sixteen smooth functions of direction.

Order and signs are tiny-cuda-nn's `SphericalHarmonics`, whose inputs are mapped from [0, 1] to
[-1, 1] first; here directions are given as they are, of unit length.
"""

from math import factorial, pi, sqrt

import torch
from jaxtyping import Float
from numpy.polynomial import Legendre, Polynomial
from torch import Tensor

BANDS = 4


def spherical_harmonics(directions: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 16"]:
    """The first sixteen real spherical harmonics, band by band, order from -band to band.

    Args:
        directions: Unit vectors. Other lengths are not normalised: the polynomials below, which
            agree with the harmonics on the sphere alone, are evaluated as they stand.
    """
    x, y, z = directions.unbind(-1)
    xx, yy, zz = x * x, y * y, z * z
    xy, yz, xz = x * y, y * z, x * z
    return torch.stack(
        [
            torch.full_like(x, 0.28209479177387814),
            -0.48860251190291987 * y,
            0.48860251190291987 * z,
            -0.48860251190291987 * x,
            1.0925484305920792 * xy,
            -1.0925484305920792 * yz,
            0.94617469575755997 * zz - 0.31539156525251999,
            -1.0925484305920792 * xz,
            0.54627421529603959 * (xx - yy),
            0.59004358992664352 * y * (yy - 3.0 * xx),
            2.8906114426405538 * xy * z,
            0.45704579946446572 * y * (1.0 - 5.0 * zz),
            0.3731763325901154 * z * (5.0 * zz - 3.0),
            0.45704579946446572 * x * (1.0 - 5.0 * zz),
            1.4453057213202769 * z * (xx - yy),
            0.59004358992664352 * x * (3.0 * yy - xx),
        ],
        dim=-1,
    )


def spherical_harmonics_reference(directions: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 16"]:
    """From the definition: Legendre polynomials, Condon-Shortley phase, one at a time.

    Order m of band l is N (-1)^m P_l^(|m|)(z) times the real (m >= 0) or imaginary part of
    (x + iy)^|m|, and sqrt(2) unless m = 0; P_l^(m) is the m-th derivative of the Legendre
    polynomial and N^2 = (2 l + 1) / (4 pi) * (l - |m|)! / (l + |m|)!.
    """
    x, y, z = directions.unbind(-1)
    harmonics = []
    for band in range(BANDS):
        for order in range(-band, band + 1):
            m = abs(order)
            norm = sqrt((2 * band + 1) / (4 * pi) * factorial(band - m) / factorial(band + m))
            polynomial = Legendre.basis(band).deriv(m).convert(kind=Polynomial).coef
            along_z = sum(float(c) * z**power for power, c in enumerate(polynomial))
            round_z = (x + 1j * y) ** m if m else torch.ones_like(x) + 0j
            turned = round_z.imag if order < 0 else round_z.real
            harmonics.append((-1) ** m * norm * (sqrt(2.0) if m else 1.0) * along_z * turned)
    return torch.stack(harmonics, dim=-1)
