/* Jansson's memory is wiped when it is given back: texts of a delivery stand in its tree while it is read. */
#ifndef TG_SECRETS_JSON_HEAP_H
#define TG_SECRETS_JSON_HEAP_H

/* tg_json_heap_wipe makes it so for the whole process. thread: main, before any other starts */
void tg_json_heap_wipe(void);

#endif
