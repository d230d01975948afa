from tests.engine_room import database_threads, loop_thread, outside, room

__all__ = ["database_threads", "loop_thread", "outside", "room"]
