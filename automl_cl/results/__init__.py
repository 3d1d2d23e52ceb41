"""The results of a run: tuned config, tables, logs, report and exports."""
