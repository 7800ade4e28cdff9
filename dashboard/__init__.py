"""The Streamlit app: reads run directories, through ``access`` alone."""
