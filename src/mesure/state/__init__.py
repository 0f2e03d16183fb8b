"""What must outlive a restart and is no fact of use: virtual keys, budgets, alerts. SQLite, or PostgreSQL by a setting.

Nothing on the path of a call reads the store: the gateway asks a `KeyRing`, which is held in memory.
"""

from mesure.state.backup import Backup, back_up, last_backup, read_backup, restore
from mesure.state.keyring import HeldKey, KeyRing, RingState
from mesure.state.keys import TOKEN, Keys, KeyState, NewKey, Scope, VirtualKey
from mesure.state.opening import Restored, open_store, restore_state, sqlite_file, store_at
from mesure.state.schema import migrate, missing_migrations, schema_of
from mesure.state.store import Store, Transaction

__all__ = [
    "TOKEN",
    "Backup",
    "HeldKey",
    "KeyRing",
    "KeyState",
    "Keys",
    "NewKey",
    "Restored",
    "RingState",
    "Scope",
    "Store",
    "Transaction",
    "VirtualKey",
    "back_up",
    "last_backup",
    "migrate",
    "missing_migrations",
    "open_store",
    "read_backup",
    "restore",
    "restore_state",
    "schema_of",
    "sqlite_file",
    "store_at",
]
