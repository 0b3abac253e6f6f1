// What jemalloc, with which danlu's programs allocate, is told when they start; MALLOC_CONF in the
// environment says otherwise. It looks for a variable of this name.
//
// A step is millions of small things that are made once and looked up everywhere: in pages of
// 2 MiB, which Linux gives where it is asked, they miss fewer tables of pages and are faulted in at
// once (docs/develop/speed.md, "Pages"). What is freed is kept (decay -1): the next step needs it.

extern "C" const char* malloc_conf;
const char* malloc_conf = "thp:always,metadata_thp:auto,dirty_decay_ms:-1";
