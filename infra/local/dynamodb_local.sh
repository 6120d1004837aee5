#!/bin/sh
# Stands where LocalStack expects its Java. LocalStack calls it `java … -Djava.library.path=<jars> … -port <port> …`;
# this starts DynamoDB Local with the same heap and port, but through dynamodb_local.xml, because its own main class
# listens on every interface of the machine and reports usage. Wants DYNAMODB_LOCAL_JAVA and DYNAMODB_LOCAL_XML.
set -eu
heap='' jars='' port=''
while [ $# -gt 0 ]; do
  case $1 in
    -Xmx*) heap=$1 ;;
    -Djava.library.path=*) jars=${1#*=} ;;
    -port) port=$2; shift ;;
  esac
  shift
done
exec "$DYNAMODB_LOCAL_JAVA" "$heap" -XX:+UseSerialGC -XX:-UsePerfData "-Djava.io.tmpdir=$TEMP" "-Djava.library.path=$jars" -cp "$jars/*" \
  org.eclipse.jetty.xml.XmlConfiguration "port=$port" "$DYNAMODB_LOCAL_XML"
