//! `mianshen serve`: the API and its guard over HTTP.
