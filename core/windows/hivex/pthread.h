/* pthread.h: mutexes that do nothing, for hivex: keymend uses a hive in one thread at a time */
#ifndef KM_HIVEX_PTHREAD_H
#define KM_HIVEX_PTHREAD_H

typedef int pthread_mutex_t;

#define pthread_mutex_init(mutex, attributes) ((void)(*(mutex) = 0))
#define pthread_mutex_lock(mutex) ((void)(mutex))
#define pthread_mutex_unlock(mutex) ((void)(mutex))

#endif
