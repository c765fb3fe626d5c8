"""An example of what a third party can add to Orlop."""
