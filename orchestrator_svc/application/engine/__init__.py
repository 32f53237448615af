"""The only thing that runs by itself: inbox -> batch -> recorder -> dispatcher -> timers."""
