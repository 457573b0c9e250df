"""A d stage that learns from the scan in front of it: its in-plane slices, reduced as its through-plane axis was.

C. Zhao et al., "SMORE", IEEE Transactions on Medical Imaging 40 (2021), DOI 10.1109/TMI.2020.3037187; A. Shocher,
N. Cohen, M. Irani, "'Zero-Shot' Super-Resolution Using Deep Internal Learning", CVPR 2018, DOI
10.1109/CVPR.2018.00329.
"""
