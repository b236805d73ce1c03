include: "workflow/Snakefile"


workflow.default_target = "all"  # `include` gives the including file its own, empty default target back
