"""What a run leaves behind: tuned config, tables, logs, report and exports."""
