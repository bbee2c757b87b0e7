"""Renewing data keys: everything of a person is sealed with another key, while everybody goes on working.

| module | what it does |
|---|---|
| `renewal` | the four steps, one after the other, of whoever is due |
| `resealing` | everything that is sealed with a person's key, sealed with the present one |
| `asking` | who is to have another key, and how far all are, for the operator's command |
"""

from apex_server.key_renewal.asking import Renewals, Underway, ask_for_renewal, see_renewals
from apex_server.key_renewal.renewal import KeyRenewal

__all__ = ["KeyRenewal", "Renewals", "Underway", "ask_for_renewal", "see_renewals"]
