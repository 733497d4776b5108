//! Memory descriptor lists and the requests' buffers as such.
