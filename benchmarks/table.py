"""Print the table of a report that `sr-keras benchmark --json` wrote, as docs/performance.md shows it.

python benchmarks/table.py benchmarks/results/hw_x2_256.json
"""

import sys
from pathlib import Path

from sr_keras.benchmark.report import print_report, read_report

print_report(read_report(Path(sys.argv[1])))
