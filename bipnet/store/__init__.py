"""Graphs, their indices and their null draws on disk (Zarr v3)."""

from bipnet.store._store import Store as Store
from bipnet.store._store import StoredDraw as StoredDraw
from bipnet.store._store import StoredLayer as StoredLayer
from bipnet.store._store import is_store as is_store
from bipnet.store._store import new_store as new_store
from bipnet.store._store import open_store as open_store
from bipnet.store.recipe import Recipe as Recipe
