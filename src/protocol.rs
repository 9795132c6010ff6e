//! What a job says on its standard output and hears on its standard input.
