"""A simulated fleet: stations and drivers on a map, OCPP-true events, named faults, and the truth.

    spec = SimulationSpec(stations=50, days=2, seed=7)
    simulation = Simulation(spec)
    for record in simulation.records():      # ordered by arrival: (arrival_ms, key, value)
        ...
    simulation.ledger.report()               # what a correct product must say about them

Everything follows from the spec: same spec, same bytes, same ledger. No clock, no I/O.
"""

from producers.simulator.catalogue import master_data
from producers.simulator.faults import DEFAULT_RATES, FAULTS, NO_FAULTS, Fault, parse_rates
from producers.simulator.fleet import Fleet, build_fleet
from producers.simulator.ledger import Ledger, LedgerReport
from producers.simulator.pace import paced
from producers.simulator.simulation import Record, Simulation, SimulationSpec
from producers.simulator.truth import SessionTruth

__all__ = [
    "DEFAULT_RATES",
    "FAULTS",
    "NO_FAULTS",
    "Fault",
    "Fleet",
    "Ledger",
    "LedgerReport",
    "Record",
    "SessionTruth",
    "Simulation",
    "SimulationSpec",
    "build_fleet",
    "master_data",
    "paced",
    "parse_rates",
]
