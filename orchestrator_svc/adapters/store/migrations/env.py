"""Alembic's entry: runs the migrations on the connection that it is handed, inside that connection's transaction."""

from alembic import context

from orchestrator_svc.adapters.store.columns import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
