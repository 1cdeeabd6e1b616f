"""Rows of past sessions as events, described by a mapping file.

    mapping    what a mapping file may say            load_mapping
    tables     CSV, JSON and XLSX as records          read_table
    columns    names of a mapping found in a file
    numbers    decimal signs, units, durations
    times      formats, zones, clock changes, repairs
    sessions   one record -> one session, or why not  compile_mapping
    timeline   sessions -> events in order            events_in_order
    importer   the three put together                 read_files

Rules of truth: nothing between start and end is invented, what a row says goes out as it
is, and everything an event holds but its registers follows from its row alone.
"""
