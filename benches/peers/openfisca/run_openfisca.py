"""The country template's seven statutory variables by OpenFisca, vectorised over a whole population.

    python run_openfisca.py DIR [--form members|given] [--repeat 5] [--out DIR]

A simulation is built with SimulationBuilder from arrays (declare_person_entity, declare_entity, join_with_persons), inputs are
set as vectors, and only `calculate` is counted; each repetition has a new simulation, because OpenFisca keeps what it has
calculated.

members: the template as it is; what a household's members come to is summed up by OpenFisca.
given:   parenting_allowance reads household_income, adults and youngest_age as inputs, as our policies do.

Prints one JSON line. With --out, the seven results are written as person.parquet and household.parquet.
"""
import argparse
import gc
import json
import pathlib
import time

STARTED = time.perf_counter()

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from openfisca_core.periods import MONTH
from openfisca_core.reforms import Reform
from openfisca_core.simulations import SimulationBuilder
from openfisca_core.variables import Variable
from openfisca_country_template import CountryTaxBenefitSystem
from openfisca_country_template.entities import Household

MONTH_OF, MONTH_OF_STATUS, YEAR_OF = "2016-11", "2016-01", "2016"
PERSON = ["basic_income", "pension", "income_tax", "social_security_contribution"]
HOUSEHOLD = ["housing_allowance", "parenting_allowance", "housing_tax"]


class adults(Variable):
    value_type = int
    entity = Household
    definition_period = MONTH
    label = "How many adults live in the household"


class youngest_age(Variable):
    value_type = int
    entity = Household
    definition_period = MONTH
    label = "Age of the youngest member"


class parenting_allowance(Variable):
    def formula(household, period, parameters):
        allowance = parameters(period).benefits.parenting_allowance
        low = household("household_income", period) <= allowance.income_threshold
        youngest = household("youngest_age", period)
        single = household("adults", period) == 1
        return low * ((single * (youngest < 8)) + (youngest < 6)) * allowance.amount


class members_given(Reform):
    def apply(self):
        self.add_variable(adults)
        self.add_variable(youngest_age)
        self.update_variable(parenting_allowance)


def load(folder):
    def arrays(name):
        table = pq.read_table(folder / f"{name}.parquet")
        return {column: table[column].combine_chunks() for column in table.column_names}

    people, households = arrays("persons"), arrays("households")
    status = households.pop("housing_occupancy_status").cast(pa.string()).to_numpy(zero_copy_only=False).astype(str)
    people = {name: column.to_numpy(zero_copy_only=False) for name, column in people.items()}
    households = {name: column.to_numpy() for name, column in households.items()}
    return people, households, status


def build(system, people, households, status, form):
    builder = SimulationBuilder()
    builder.create_entities(system)
    builder.declare_person_entity("person", people["person_id"])
    entity = builder.declare_entity("household", households["household_id"])
    builder.join_with_persons(entity, people["household_id"], np.where(people["adult"], "adult", "child"))
    simulation = builder.build(system)
    simulation.set_input("birth", "ETERNITY", people["birth_date"])
    simulation.set_input("salary", MONTH_OF, people["salary"])
    simulation.set_input("capital_returns", MONTH_OF, people["capital_returns"])
    simulation.set_input("rent", MONTH_OF, households["rent"])
    simulation.set_input("accommodation_size", MONTH_OF_STATUS, households["accommodation_size"])
    simulation.set_input("housing_occupancy_status", MONTH_OF_STATUS, status)
    if form == "given":
        for name in ["household_income", "adults", "youngest_age"]:
            simulation.set_input(name, MONTH_OF, households[name])
    return simulation


def calculate(simulation):
    return {name: simulation.calculate(name, YEAR_OF if name == "housing_tax" else MONTH_OF) for name in PERSON + HOUSEHOLD}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("--form", choices=["members", "given"], default="members")
    arguments.add_argument("--repeat", type=int, default=5)
    arguments.add_argument("--out", type=pathlib.Path)
    given = arguments.parse_args()
    system = CountryTaxBenefitSystem()
    if given.form == "given":
        system = members_given(system)
    people, households, status = load(given.folder)
    builds, seconds = [], []
    for _ in range(given.repeat):
        simulation = results = None
        gc.collect()
        start = time.perf_counter()
        simulation = build(system, people, households, status, given.form)
        builds.append(time.perf_counter() - start)
        start = time.perf_counter()
        results = calculate(simulation)
        seconds.append(time.perf_counter() - start)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        for kind, names in [("person", PERSON), ("household", HOUSEHOLD)]:
            pq.write_table(pa.table({name: results[name] for name in names}), given.out / f"{kind}.parquet")
    persons = len(people["person_id"])
    print(json.dumps({
        "engine": "openfisca", "form": given.form, "threads": 1, "persons": persons, "households": len(status),
        "build_seconds": builds, "seconds": seconds, "best_seconds": min(seconds),
        "persons_per_second": persons / min(seconds), "process_seconds": time.perf_counter() - STARTED,
    }))


if __name__ == "__main__":
    main()
