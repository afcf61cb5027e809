// Log/Pipeline:Pipeline
