//! DMA adapters and the framework's DMA objects (wdm.h, wdfdmaenabler.h, wdfdmatransaction.h, wdfcommonbuffer.h).
