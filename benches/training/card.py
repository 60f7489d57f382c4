def measure(*a): return {}
def write(*a): pass
